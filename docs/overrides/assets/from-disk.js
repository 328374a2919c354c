/* A page opened from disk may not start a worker, so in the offline copy the search runs in the page itself. */
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.ready = new Promise((resolve, reject) => {
        const script = document.createElement("script");
        Object.assign(script, { src: url, onload: resolve, onerror: reject });
        document.head.append(script);
      });
    }

    postMessage(message) {
      this.ready.then(() => this.dispatchEvent(new MessageEvent("message", { data: answerSearch(message) })));
    }
  };
}
