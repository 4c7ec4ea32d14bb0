// A certified provider of OpenID Connect (npm oidc-provider) for the tests of sign-in.
//
// node provider.mjs FOLDER CONFIGURATION: FOLDER has node_modules, CONFIGURATION is JSON with
// `port`, `clients`, `people` (claims by account) and `ttl` in seconds. POST /control/rotate signs
// with a new key, /control/person {account, claims|null} changes or removes somebody,
// /control/asked tells how often each path was asked for.
import { createServer } from "node:http";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { join } from "node:path";

const [folder, configuration] = process.argv.slice(2);
const settings = JSON.parse(configuration);
const require = createRequire(pathToFileURL(join(folder, "package.json")));
const { default: Provider } = await import(pathToFileURL(require.resolve("oidc-provider")).href);

// Another site than the portal at 127.0.0.1, so that cookies behave as between two companies.
const issuer = `http://localhost:${settings.port}`;
const people = new Map(Object.entries(settings.people));
const asked = new Map();
const adapters = new Map();

// What one instance of the provider issued outlives the change of its keys.
class Memory {
  constructor(name) {
    this.name = name;
    if (!adapters.has(name)) adapters.set(name, new Map());
    this.rows = adapters.get(name);
  }
  async upsert(id, payload) { this.rows.set(id, payload); }
  async find(id) { return this.rows.get(id); }
  async findByUserCode(code) { return [...this.rows.values()].find((row) => row.userCode === code); }
  async findByUid(uid) { return [...this.rows.values()].find((row) => row.uid === uid); }
  async destroy(id) { this.rows.delete(id); }
  async revokeByGrantId(grant) {
    for (const [id, row] of this.rows) if (row.grantId === grant) this.rows.delete(id);
  }
  async consume(id) { this.rows.get(id).consumed = Math.floor(Date.now() / 1000); }
}

function newKey() {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { ...privateKey.export({ format: "jwk" }), use: "sig", alg: "RS256", kid: randomBytes(8).toString("hex") };
}

const cookieKeys = [randomBytes(32).toString("hex")];

function newProvider() {
  const provider = new Provider(issuer, {
    adapter: Memory,
    clients: settings.clients,
    jwks: { keys: [newKey()] },
    cookies: { keys: cookieKeys },
    claims: {
      openid: ["sub", "sid"],
      profile: ["name", "preferred_username", "picture"],
      email: ["email", "email_verified"],
      groups: ["groups"],
    },
    scopes: ["openid", "offline_access", "profile", "email", "groups"],
    conformIdTokenClaims: settings.conform ?? true,
    pkce: { required: () => true, methods: ["S256"] },
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: (context, form) => {
          context.body = `<!doctype html><title>Sign out</title><h1>Sign out of the provider</h1>${form}
            <button type="submit" form="op.logoutForm" name="logout" value="yes">Yes</button>`;
        },
        postLogoutSuccessSource: (context) => {
          context.body = "<!doctype html><title>Signed out</title><h1>Signed out of the provider</h1>";
        },
      },
    },
    issueRefreshToken: async (context, client) => client.grantTypeAllowed("refresh_token"),
    ttl: { AccessToken: 3600, IdToken: settings.ttl ?? 3600, RefreshToken: 86400, Grant: 86400, Interaction: 3600, Session: 86400 },
    interactions: { url: (context, interaction) => `/interaction/${interaction.uid}` },
    async findAccount(context, account) {
      if (!people.has(account)) return undefined;
      return { accountId: account, claims: async () => ({ sub: account, ...people.get(account) }) };
    },
    // Backchannel logout goes to the portal on this machine, over plain http.
    httpOptions: () => ({ signal: AbortSignal.timeout(5000) }),
  });
  provider.on("server_error", (context, error) => console.error("server_error", error));
  for (const event of ["grant.error", "authorization.error", "end_session.error", "backchannel.error"]) {
    provider.on(event, (context, error) => console.error(event, error?.message, error?.error_description ?? ""));
  }
  return provider;
}

let provider = newProvider();
let answer = provider.callback();

async function bodyOf(request) {
  let text = "";
  for await (const chunk of request) text += chunk;
  return text;
}

function page(response, content, status = 200) {
  response.writeHead(status, { "content-type": "text/html; charset=utf-8" }).end(`<!doctype html><title>Provider</title>${content}`);
}

async function interaction(request, response) {
  const details = await provider.interactionDetails(request, response);
  if (details.prompt.name === "login" && request.method === "GET") {
    const accounts = [...people.keys()].map((name) => `<button name="account" value="${name}">${name}</button>`).join("");
    return page(response, `<h1>Sign in at the provider</h1><form method="post">${accounts}</form>`);
  }
  if (details.prompt.name === "login") {
    const account = new URLSearchParams(await bodyOf(request)).get("account");
    return provider.interactionFinished(request, response, { login: { accountId: account } }, { mergeWithLastSubmission: false });
  }
  // What was asked for is granted without a question.
  const grant = new provider.Grant({ accountId: details.session.accountId, clientId: details.params.client_id });
  grant.addOIDCScope(details.params.scope);
  const grantId = await grant.save();
  return provider.interactionFinished(request, response, { consent: { grantId } }, { mergeWithLastSubmission: true });
}

async function control(request, response, path) {
  const body = await bodyOf(request);
  if (path === "/control/rotate") {
    provider = newProvider();
    answer = provider.callback();
  }
  if (path === "/control/person") {
    const { account, claims } = JSON.parse(body);
    if (claims) people.set(account, claims); else people.delete(account);
  }
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(Object.fromEntries(asked)));
}

const server = createServer(async (request, response) => {
  const { pathname } = new URL(request.url, issuer);
  asked.set(pathname, (asked.get(pathname) ?? 0) + 1);
  try {
    if (pathname.startsWith("/control/")) return await control(request, response, pathname);
    if (pathname.startsWith("/interaction/")) return await interaction(request, response);
    return await answer(request, response);
  } catch (error) {
    console.error(error);
    page(response, "<h1>Failed</h1>", 500);
  }
});
server.listen(settings.port, "127.0.0.1", () => console.log("ready"));
