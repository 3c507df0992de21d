// Words said aloud by a voice of this machine. Some browsers offer voices of a server as well: these are never used.

/** The voices of this machine, the page's language first. */
function ownVoices() {
  const voices = globalThis.speechSynthesis?.getVoices().filter((voice) => voice.localService) ?? [];
  const near = (voice) => (voice.lang.slice(0, 2) === document.documentElement.lang ? 0 : 1);
  return voices.sort((a, b) => near(a) - near(b));
}

/** Whether anything can be said; voices may come some time after the page. */
export const canSpeak = () => ownVoices().length > 0;

export function say(text) {
  const [voice] = ownVoices();
  if (!voice) return;
  const words = new SpeechSynthesisUtterance(text);
  words.voice = voice;
  words.lang = voice.lang;
  speechSynthesis.speak(words);
}

export const hush = () => globalThis.speechSynthesis?.cancel();
