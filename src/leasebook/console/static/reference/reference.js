// The reference with a try-it: Swagger UI shows the API's own document, and each call is signed here, in the page.
"use strict";

(() => {
  const root = document.getElementById("reference");
  const keys = document.getElementById("keys");
  const problem = document.getElementById("keys-problem");
  let ahead_ms = 0; // The server's clock minus this machine's.

  // The pair of keys is read from the form when a call is made. It is kept nowhere else.
  function pair() {
    const accessKey = keys.elements["access-key"].value.trim();
    const secretKey = keys.elements["secret-key"].value.trim();
    return { accessKey, secretKey };
  }

  function say(text) {
    problem.textContent = text;
    problem.hidden = text === "";
  }

  async function sign(request) {
    if (request.loadSpec) return request;
    const { accessKey, secretKey } = pair();
    const url = new URL(request.url, location.href);
    if (accessKey === "" || secretKey === "") {
      say(keys.dataset.missing);
      keys.elements["access-key"].focus();
      throw new Error(keys.dataset.missing);
    }
    if (url.origin !== location.origin) throw new Error(keys.dataset.elsewhere);
    say("");
    const body = request.body === undefined || request.body === null ? "" : request.body;
    const signed = await Signer.headers({
      method: request.method,
      url,
      body,
      accessKey,
      secretKey,
      now: new Date(Date.now() + ahead_ms),
      nonce: Signer.nonce(),
    });
    Object.assign(request.headers, signed);
    request.credentials = "omit"; // The signature is what proves the caller, and not the session of this page.
    return request;
  }

  async function begin() {
    const answer = await fetch(root.dataset.document, { credentials: "omit" });
    const date = answer.headers.get("date");
    if (date !== null) ahead_ms = new Date(date).getTime() - Date.now();
    const spec = await answer.json();
    spec.servers = [{ url: location.origin + root.dataset.prefix }];
    SwaggerUIBundle({
      spec,
      domNode: root,
      deepLinking: true,
      docExpansion: "none",
      defaultModelsExpandDepth: -1,
      displayRequestDuration: true,
      filter: true,
      requestInterceptor: sign,
      // What is shown is the call as it was filled in. The signed one is not there where the keys were missing.
      showMutatedRequest: false,
      syntaxHighlight: { activated: false },
      tryItOutEnabled: true,
      validatorUrl: null,
    });
  }

  keys.addEventListener("submit", (event) => event.preventDefault());
  begin().catch((error) => say(String(error)));
})();
