// An identity provider for tests: oidc-provider, whose person, groups and keys the tests choose by POST /control.
import { createServer } from "node:http";
import { generateKeyPairSync, randomUUID } from "node:crypto";
import Provider from "oidc-provider";

const [port, redirect, secret] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const people = new Map();
let person = { sub: "person-1", name: "Li Lei", groups: [] };
let options = { idTokenSeconds: 3600, asksScopes: true };
let keys = [newKey("RS256")];
let provider;
let callback;
let isAway = false;

function newKey(algorithm) {
  const pair =
    algorithm === "ES256"
      ? generateKeyPairSync("ec", { namedCurve: "P-256" })
      : generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { ...pair.privateKey.export({ format: "jwk" }), kid: randomUUID(), use: "sig", alg: algorithm };
}

function client(id, algorithm) {
  return {
    client_id: id,
    client_secret: secret,
    redirect_uris: [redirect],
    post_logout_redirect_uris: [new URL("/console/openid/signed-out", redirect).href],
    grant_types: ["authorization_code"],
    response_types: ["code"],
    id_token_signed_response_alg: algorithm,
  };
}

function start() {
  const algorithm = keys[0].alg;
  provider = new Provider(issuer, {
    clients: [client("leasebook", algorithm), client("another", algorithm)],
    jwks: { keys },
    cookies: { keys: ["only for tests"] },
    conformIdTokenClaims: false,
    claims: { openid: ["sub"], profile: ["name"], groups: ["groups"] },
    scopes: ["openid", "profile", "groups"],
    ttl: { IdToken: () => options.idTokenSeconds, AuthorizationCode: 60, Interaction: 600, Session: 600, Grant: 600 },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    features: { devInteractions: { enabled: false } },
    findAccount: (_, sub) => ({ accountId: sub, claims: () => people.get(sub) }),
    loadExistingGrant: async (context) => {
      const grant = new provider.Grant({
        clientId: context.oidc.client.clientId,
        accountId: context.oidc.session.accountId,
      });
      grant.addOIDCScope("openid profile groups");
      await grant.save();
      return grant;
    },
  });
  callback = provider.callback();
}

async function body(request) {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  return JSON.parse(Buffer.concat(pieces).toString() || "{}");
}

async function control(request, response) {
  const asked = await body(request);
  if (asked.person) person = { ...person, ...asked.person };
  if (asked.options) options = { ...options, ...asked.options };
  if (asked.rotate) keys = [newKey(asked.rotate)];
  if (asked.rotate) start();
  if ("isAway" in asked) isAway = asked.isAway;
  response.end("{}");
}

async function interact(request, response) {
  people.set(person.sub, person);
  const result = options.declines
    ? { error: "access_denied", error_description: "Not <b>today</b>." }
    : { login: { accountId: person.sub } };
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
}

start();
createServer((request, response) => {
  const failed = (error) => response.writeHead(500).end(String(error));
  if (request.url === "/control") control(request, response).catch(failed);
  else if (isAway) response.writeHead(503).end("away");
  else if (request.url.startsWith("/interaction/")) interact(request, response).catch(failed);
  else callback(request, response);
}).listen(Number(port), "127.0.0.1", () => console.log("ready"));
