/* The site without a network. The build puts `self.SITE` in front: every file's address and the digest of its content.
 *
 * Files are kept by digest, so a new version fetches only what changed. A page that is kept comes from the store: what one sees is
 * all of one version, until "reload" takes the next. While `mkdocs serve` is running, its pages come first. */

const { version, serving, first, files } = self.SITE;
const STORE = "lora-files";
const SLOW = 4;

const keyOf = name => `${self.registration.scope}${name}?v=${files[name]}`;
const isFirst = name => name === "" || name === "en/" || first.some(start => name.startsWith(start));

/** Fetches what is not there yet, a few at a time; `progress` hears how many are done. */
async function keep(names, progress = () => {}) {
  const store = await caches.open(STORE);
  const there = new Set((await store.keys()).map(request => request.url));
  const missing = names.filter(name => !there.has(keyOf(name)));
  let done = names.length - missing.length;
  progress(done, names.length);
  const next = async () => {
    for (let name = missing.shift(); name !== undefined; name = missing.shift()) {
      const reply = await fetch(keyOf(name));
      if (!reply.ok) throw new Error(`${name}: ${reply.status}`);
      await store.put(keyOf(name), reply);
      progress(++done, names.length);
    }
  };
  await Promise.all(Array.from({ length: SLOW }, next));
}

self.addEventListener("install", event => {
  event.waitUntil(keep(Object.keys(files).filter(isFirst)).then(() => serving && self.skipWaiting()));
});

/** Files of earlier versions go once this version is the one in use. */
self.addEventListener("activate", event => {
  event.waitUntil((async () => {
    const store = await caches.open(STORE);
    const wanted = new Set(Object.keys(files).map(keyOf));
    const old = (await store.keys()).filter(request => !wanted.has(request.url));
    await Promise.all(old.map(request => store.delete(request)));
    await self.clients.claim();
  })());
});

self.addEventListener("message", event => {
  if (event.data === "take over") self.skipWaiting();
  if (event.data === "keep all") {
    const tell = (done, all) => event.source?.postMessage({ done, all, version });
    event.waitUntil(keep(Object.keys(files), tell).catch(() => event.source?.postMessage({ interrupted: true })));
  }
});

/** The file behind an address, or undefined: `/en/practice/cards/`, `/en/practice/cards/index.html`. */
function named(url) {
  const scope = new URL(self.registration.scope);
  if (url.origin !== scope.origin || !url.pathname.startsWith(scope.pathname)) return undefined;
  const name = decodeURIComponent(url.pathname.slice(scope.pathname.length)).replace(/(^|\/)index\.html$/, "$1");
  return [name, `${name}/`].find(one => one in files);
}

async function answer(request, name) {
  const store = await caches.open(STORE);
  const kept = () => store.match(keyOf(name));
  if (serving) return fetch(request).catch(async error => (await kept()) ?? Promise.reject(error));
  const found = await kept();
  if (found) return found;
  const reply = await fetch(request);
  if (reply.ok) await store.put(keyOf(name), reply.clone());
  return reply;
}

/** A page that is not kept, asked for without a network. */
async function lost(request) {
  try {
    return await fetch(request);
  } catch (error) {
    const english = new URL(request.url).pathname.startsWith(`${new URL(self.registration.scope).pathname}en/`);
    const store = await caches.open(STORE);
    const page = await store.match(keyOf(english ? "en/practice/cards/" : "practice/cards/"));
    if (!page) throw error;
    return Response.redirect(`${self.registration.scope}${english ? "en/" : ""}practice/cards/#offline`);
  }
}

self.addEventListener("fetch", event => {
  const { request } = event;
  if (request.method !== "GET") return;
  const name = named(new URL(request.url));
  if (name !== undefined) event.respondWith(answer(request, name));
  else if (request.mode === "navigate") event.respondWith(lost(request));
});
