// Signs requests with bce-auth-v1 in the browser, by WebCrypto. The keys stay in this page: only signatures are sent.
"use strict";

const Signer = (() => {
  const LIFETIME_S = 300;
  const text = new TextEncoder();

  const hex = (bytes) => Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");

  // encodeURIComponent leaves five characters bare that the protocol escapes.
  const escaped = (value) =>
    encodeURIComponent(value).replace(/[!'()*]/g, (one) => "%" + one.charCodeAt(0).toString(16).toUpperCase());

  async function hmac(key, message) {
    const algorithm = { name: "HMAC", hash: "SHA-256" };
    const imported = await crypto.subtle.importKey("raw", text.encode(key), algorithm, false, ["sign"]);
    return hex(await crypto.subtle.sign("HMAC", imported, text.encode(message)));
  }

  // The query's parameters, escaped and in the order of their bytes; a signature in the query does not sign itself.
  function canonicalQuery(search) {
    const lines = [];
    for (const part of search.replace(/^\?/, "").split("&")) {
      if (part === "") continue;
      const at = part.indexOf("=");
      const name = decodeURIComponent(at < 0 ? part : part.slice(0, at));
      const value = decodeURIComponent(at < 0 ? "" : part.slice(at + 1));
      if (name.toLowerCase() !== "authorization") lines.push(escaped(name) + "=" + escaped(value));
    }
    return lines.sort().join("&");
  }

  // Returns the headers to add to a request. `url` is a URL; `body` is the text that is sent; `now` is a Date of the
  // server's clock; `nonce` is random, at least 16 characters.
  async function headers({ method, url, body, accessKey, secretKey, now, nonce }) {
    const date = now.toISOString().replace(/\.\d+Z$/, "Z");
    const signed = {
      host: url.host,
      "x-bce-content-sha256": hex(await crypto.subtle.digest("SHA-256", text.encode(body))),
      "x-bce-date": date,
      "x-bce-nonce": nonce,
    };
    const names = Object.keys(signed).sort();
    const lines = names.map((name) => escaped(name) + ":" + escaped(signed[name])).sort();
    const path = url.pathname.split("/").map((part) => escaped(decodeURIComponent(part))).join("/");
    const prefix = `bce-auth-v1/${accessKey}/${date}/${LIFETIME_S}`;
    const canonical = [method.toUpperCase(), path, canonicalQuery(url.search), ...lines].join("\n");
    const signature = await hmac(await hmac(secretKey, prefix), canonical);
    delete signed.host; // The browser sends it.
    return { ...signed, authorization: `${prefix}/${names.join(";")}/${signature}` };
  }

  const nonce = () => hex(crypto.getRandomValues(new Uint8Array(16)));

  return { headers, nonce };
})();

if (typeof module !== "undefined") module.exports = Signer;
