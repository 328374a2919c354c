/* One's own voice, if one wants: a button that records and hands over the sound. */

import { h } from "./dom.js";

/**
 * @param {import("./interview-words.js").Say} say
 * @param {(sound: Blob) => Promise<boolean>} keep answers whether there was room
 * @returns {{element: HTMLElement, stop: () => Promise<void>}} `stop` ends a running recording and waits until it is kept
 */
export function recorder(say, keep) {
  /** @type {MediaRecorder | null} */
  let running = null;
  let kept = Promise.resolve();
  const state = h("span", { class: "recorder-state", role: "status" });
  const button = h("button", { type: "button", class: "quiet", "data-act": "record", "aria-pressed": "false", onclick: () => (running ? stop() : start()) }, say("record"));
  const show = (/** @type {boolean} */ on) => {
    button.setAttribute("aria-pressed", String(on));
    button.textContent = on ? `● ${say("stopRecording")}` : say("record");
  };

  async function start() {
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
      running = new MediaRecorder(stream);
      kept = finished(running, stream);
      running.start();
      show(true);
    } catch (error) {
      // No permission, no device, or a page that is not served securely.
      running = null;
      state.textContent = say("noMicrophone", error instanceof Error ? error.message : String(error));
    }
  }

  /**
   * @param {MediaRecorder} recording
   * @param {MediaStream} stream
   */
  async function finished(recording, stream) {
    /** @type {Blob[]} */
    const parts = [];
    recording.ondataavailable = ({ data }) => parts.push(data);
    await new Promise(resolve => { recording.onstop = resolve; });
    stream.getTracks().forEach(track => track.stop());
    const room = await keep(new Blob(parts, { type: recording.mimeType }));
    state.textContent = say(room ? "recorded" : "noRoom");
  }

  async function stop() {
    running?.stop();
    running = null;
    show(false);
    await kept;
  }

  return { element: h("p", { class: "recorder" }, button, " ", state), stop };
}
