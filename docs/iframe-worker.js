// Search without a server: where pages are opened from disk a browser starts no Worker, so a hidden frame runs its script.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      const frame = document.createElement("iframe")
      frame.hidden = true
      document.head.parentElement.appendChild(frame)
      const inside = frame.contentWindow, page = inside.document
      const load = address => new Promise((done, failed) => {
        const script = page.createElement("script")
        Object.assign(script, { src: address, onload: done, onerror: failed })
        page.documentElement.appendChild(script)
      })
      page.open()  // a frame's first, empty page is replaced in some browsers: write one that stays
      page.write("<!doctype html><title>search</title>")
      page.close()
      inside.importScripts = (...urls) =>
        urls.reduce((before, one) => before.then(() => load(one)), Promise.resolve())
      inside.postMessage = data => {
        const told = new MessageEvent("message", { data })
        this.dispatchEvent(told)
        if (typeof this.onmessage === "function") this.onmessage(told)
      }
      this.inside = inside
      this.ready = load(new URL(url, location.href).href)
    }
    postMessage(data) {
      this.ready.then(() => this.inside.dispatchEvent(new this.inside.MessageEvent("message", { data })))
    }
    terminate() {
      this.inside.frameElement.remove()
    }
  }
}
