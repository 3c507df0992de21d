// A hand drawn on a canvas.

//: Landmarks that belong together: five fingers from the wrist on, and the palm's edge.
const FINGERS = [0, 1, 2, 3, 4].flatMap((f) => [0, 1, 2, 3].map((k) => [k ? 4 * f + k : 0, 4 * f + k + 1]));
const BONES = [...FINGERS, [5, 9], [9, 13], [13, 17]];

/** landmarks: 63 numbers, x and y in 0 to 1 of the canvas, or null for no hand. picture: what lies behind it. */
export function drawHand(canvas, landmarks, picture = null) {
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (picture) context.drawImage(picture, 0, 0);
  if (!landmarks) return;
  const place = (k) => [landmarks[3 * k] * canvas.width, landmarks[3 * k + 1] * canvas.height];
  const style = getComputedStyle(canvas),
    unit = Math.max(canvas.width / 160, 1);
  context.lineCap = "round";
  for (const [width, colour] of [
    [2.2 * unit, style.getPropertyValue("--outline")],
    [unit, style.getPropertyValue("--bone")],
  ]) {
    context.lineWidth = width;
    context.strokeStyle = colour;
    context.beginPath();
    for (const [from, to] of BONES) {
      context.moveTo(...place(from));
      context.lineTo(...place(to));
    }
    context.stroke();
  }
  context.fillStyle = style.getPropertyValue("--joint");
  for (let k = 0; k < 21; k++) {
    context.beginPath();
    context.arc(...place(k), 1.1 * unit, 0, 2 * Math.PI);
    context.fill();
  }
}

/** The same hand in the middle of a canvas, as large as fits, whatever its picture was. frames: of a take, for a place
    and size that stay. */
export function fitted(frames, aspect, canvas) {
  const points = frames
    .filter((frame) => frame.some((value) => value !== 0))
    .flatMap((frame) => Array.from({ length: 21 }, (_, k) => [frame[3 * k] * aspect, frame[3 * k + 1]]));
  if (!points.length) return () => null;
  const xs = points.map((point) => point[0]),
    ys = points.map((point) => point[1]);
  const low = [Math.min(...xs), Math.min(...ys)],
    size = Math.max(Math.max(...xs) - low[0], Math.max(...ys) - low[1], 1e-6);
  const wide = canvas.width / canvas.height;
  const middle = [(low[0] + Math.max(...xs)) / 2, (low[1] + Math.max(...ys)) / 2];
  return (frame) => {
    if (!frame.some((value) => value !== 0)) return null;
    return frame.map((value, k) => {
      if (k % 3 === 0) return 0.5 - (0.8 * (value * aspect - middle[0])) / size / wide; // as in a mirror
      return k % 3 === 1 ? 0.5 + (0.8 * (value - middle[1])) / size : value;
    });
  };
}
