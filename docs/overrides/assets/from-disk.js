/* Loaded first by every page of the offline copy. A page opened from disk may start no worker, so the search runs in the page. */
if (location.protocol === "file:") {
  document.documentElement.classList.add("from-disk");
  const named = location => location.replace(/(^|\/)(?=#|$)/, "$1index.html");

  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.ready = new Promise((resolve, reject) => {
        const script = document.createElement("script");
        Object.assign(script, { src: url, onload: resolve, onerror: reject });
        document.head.append(script);
      });
    }

    async postMessage(message) {
      await this.ready;
      const reply = answerSearch(message);
      for (const item of reply.data?.items.flat() ?? []) item.location = named(item.location);
      this.dispatchEvent(new MessageEvent("message", { data: reply }));
    }
  };
}
