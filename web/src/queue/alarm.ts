/* Loaded when a fan asks to be told: a sound and, where it is allowed, a notification when the turn has come. Browsers
 * make no sound before somebody has pressed something; what is heard then says what to expect. */
const sound = new AudioContext();

function ring(): void {
  [523, 659, 784, 1047].forEach((hertz, i) => {
    const tone = sound.createOscillator();
    const volume = sound.createGain();
    const start = sound.currentTime + i / 5;
    tone.frequency.value = hertz;
    volume.gain.setValueAtTime(0.3, start);
    volume.gain.exponentialRampToValueAtTime(0.001, start + 0.5);
    tone.connect(volume).connect(sound.destination);
    tone.start(start);
    tone.stop(start + 0.5);
  });
}

/* The screen stays on meanwhile: a telephone that sleeps hears nothing. */
async function stay_awake(): Promise<void> {
  try {
    if (!document.hidden) await navigator.wakeLock.request('screen');
  } catch {
    /* Not to be had here. */
  }
}

ring();
void stay_awake();
addEventListener('visibilitychange', () => void stay_awake());
void window.Notification?.requestPermission();

/* What main.ts says when a pass is here. */
addEventListener('turn', () => {
  ring();
  try {
    if (document.hidden) new Notification(document.title).onclick = () => window.focus();
  } catch {
    /* Telephones have it for installed pages alone: the sound and the title remain. */
  }
});
