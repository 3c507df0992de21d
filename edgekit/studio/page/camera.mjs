// The camera: asked for, shown, and its pictures, one at a time.

/** What a person can do about a camera that is not given. */
export const TROUBLE = {
  NotAllowedError: "The camera was refused. Allow it for this page in the browser's address bar, then start again.",
  NotFoundError: "No camera was found. Plug one in, or switch it on, then start again.",
  NotReadableError: "The camera can't be opened: another program may be using it. Close that one, then start again.",
  OverconstrainedError: "The camera gives no pictures of a usual size. Try another one.",
  AbortError: "The camera stopped. Start it again.",
  insecure: "Browsers give the camera to pages of https and of this machine only. Open this page in one of these ways.",
  gone: "The camera has gone: is it still plugged in? Start it again.",
};

export class CameraTrouble extends Error {
  constructor(kind) {
    super(TROUBLE[kind] ?? `The camera can't be used (${kind}).`);
  }
}

/** A camera that feeds a video element. gone: called where it goes away by itself. */
export class Camera {
  #stream = null;
  #shown = null;
  #wanted = null;

  constructor(video, gone) {
    this.video = video;
    this.gone = gone;
  }

  get runs() {
    return this.#stream !== null;
  }

  /** Ask for a camera and show it. id: of a device, or "" for any. Raises CameraTrouble. */
  async start(id) {
    if (!navigator.mediaDevices?.getUserMedia) throw new CameraTrouble("insecure");
    const wanted = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 } };
    const which = id ? { deviceId: { exact: id } } : { facingMode: "user" };
    try {
      this.#stream = await navigator.mediaDevices.getUserMedia({ video: { ...wanted, ...which }, audio: false });
      this.#stream.getVideoTracks()[0].addEventListener("ended", () => this.#lose());
      this.video.srcObject = this.#stream;
      await this.video.play();
      this.#watch(this.#stream);
    } catch (error) {
      this.stop();
      throw new CameraTrouble(error.name);
    }
  }

  stop() {
    this.#stream?.getTracks().forEach((track) => track.stop());
    this.#stream = null;
    this.video.srcObject = null;
    this.#show(0);
    this.#shown = null;
  }

  /** Note each picture that the video shows, as long as this stream runs. */
  #watch(stream) {
    if (this.#stream !== stream) return;
    const note = (now) => {
      this.#show(now / 1000);
      this.#watch(stream);
    };
    if (this.video.requestVideoFrameCallback) this.video.requestVideoFrameCallback(note);
    else requestAnimationFrame(note);
  }

  #show(time) {
    this.#shown = time;
    this.#wanted?.();
    this.#wanted = null;
  }

  /** The time of a picture that was not asked for before. */
  async #fresh() {
    if (this.#shown === null) await new Promise((resolve) => (this.#wanted = resolve));
    const time = this.#shown;
    this.#shown = null;
    return time;
  }

  #lose() {
    if (!this.runs) return;
    this.stop();
    this.gone(new CameraTrouble("gone"));
  }

  /** {picture, time} of the next new picture: an ImageBitmap, and the seconds when it was shown. null where the camera
      has stopped. */
  async next() {
    if (!this.runs) return null;
    const time = await this.#fresh();
    if (!this.runs || !this.video.videoWidth) return null;
    return { picture: await createImageBitmap(this.video), time };
  }

  /** [{id, name}] of the cameras; names are known once one was allowed. */
  async list() {
    const devices = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
    const cameras = devices.filter((device) => device.kind === "videoinput" && device.deviceId);
    return cameras.map((device, k) => ({ id: device.deviceId, name: device.label || `camera ${k + 1}` }));
  }
}
