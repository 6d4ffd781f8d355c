// HTTP clients of Node.js, one function each: `node node_clients.mjs NAME [--version]`; prints the status that it got.
// What to ask for is in the environment: URL, WS_URL, ORIGIN, CA (also as NODE_EXTRA_CA_CERTS), USER_AGENT and COOKIE (empty: the
// client's own). Packages are looked for in NODE_TOOLS/node_modules.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import https from "node:https";
import path from "node:path";
import { pathToFileURL } from "node:url";

const { URL: url, WS_URL: ws, ORIGIN: origin, USER_AGENT: agent, COOKIE: cookie, NODE_TOOLS: tools } = process.env;
const require = createRequire(path.join(tools, "x.js"));
const load = async (name) => import(pathToFileURL(require.resolve(name)).href);
const headers = { ...(agent && { "User-Agent": agent }), ...(cookie && { Cookie: cookie }) };
const cookieOnly = cookie ? { Cookie: cookie } : {};

const clients = {
  fetch: [null, async () => (await fetch(url, { headers, redirect: "manual" })).status],
  https: [null, () => new Promise((resolve, reject) => https.get(url, { headers }, (a) => { a.resume(); resolve(a.statusCode); }).on("error", reject))],
  undici: ["undici", async () => (await (await load("undici")).request(url, { headers })).statusCode],
  "node-fetch": ["node-fetch", async () => (await (await load("node-fetch")).default(url, { headers, redirect: "manual" })).status],
  axios: ["axios", async () => (await require("axios").get(url, { headers, maxRedirects: 0, validateStatus: null })).status],
  got: ["got", async () => (await (await load("got")).got(url, { headers, followRedirect: false, throwHttpErrors: false, retry: { limit: 0 } })).statusCode],
  superagent: ["superagent", async () => (await require("superagent").get(url).set(headers).redirects(0).ok(() => true)).status],
  needle: ["needle", async () => (await require("needle")("get", url, { headers })).statusCode],
  jsdom: ["jsdom", async () => {
    const { JSDOM, ResourceLoader, CookieJar } = require("jsdom");
    const options = { pretendToBeVisual: true, runScripts: "dangerously" };
    if (cookie) { options.cookieJar = new CookieJar(); await options.cookieJar.setCookie(`${cookie}; Secure; Path=/`, url); }
    if (ResourceLoader) options.resources = new ResourceLoader(agent ? { userAgent: agent } : {});
    else if (agent) options.resources = { userAgent: agent };
    return (await JSDOM.fromURL(url, options)) ? 200 : 0;
  }],
  ws: ["ws", () => new Promise((resolve, reject) => {
    const socket = new (require("ws"))(ws, { headers, ...(cookie && { origin }) });
    socket.on("open", () => { socket.close(); resolve(101); });
    socket.on("unexpected-response", (_, answer) => { resolve(answer.statusCode); socket.terminate(); });
    socket.on("error", reject);
  })],
  "got-scraping": ["got-scraping", async () => (await (await import(pathToFileURL(path.join(tools, "node_modules/got-scraping/dist/index.js")).href)).gotScraping({ url, headers: cookieOnly, followRedirect: false, throwHttpErrors: false, http2: false, https: { certificateAuthority: readFileSync(process.env.CA) } })).statusCode],
  "wreq-js": ["wreq-js", async () => (await (await load("wreq-js")).fetch(url, { browser: "chrome_142", headers: cookieOnly, insecure: true, redirect: "manual" })).status],
};

const [wanted, call] = clients[process.argv[2]];
if (process.argv[3] === "--version") {
  console.log(wanted ? `${wanted} ${JSON.parse(readFileSync(path.join(tools, "node_modules", wanted, "package.json"))).version}` : `Node.js ${process.versions.node}`);
} else {
  console.log(await call());
  process.exit(0);
}
