// A real OpenID Connect provider (npm oidc-provider) that plays the federal authentication service: for the demo, and for the tests, where
// it also errs on purpose. Loopback only; its people and their secrets are invented. Its settings are one line of JSON on standard input:
//
//   port          0: any
//   redirect      the gateway's callback; logout: its back-channel logout; ca: the authority of both, in PEM
//   client, secret
//   people        [{ sub, name, insz, acr: ["urn:…", …] }]: who can sign in here, and by what
//   now           Unix seconds: the moment that this provider takes for now when it starts (tests); left out: the machine's own
//
// When it is ready it prints one line of JSON, { issuer }, and lives as long as standard input is open.
//
// POST /control takes { fault, silent, slow, rotate, logout }: see `control`.

import { createHmac, createPrivateKey, createPublicKey, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { createServer, request as plain } from 'node:http';
import { request as secure } from 'node:https';
import { createInterface } from 'node:readline';

// Heard from the first moment on: whoever started this may be killed before it is ready.
process.stdin.on('close', () => process.exit(0));
const settings = JSON.parse(await new Promise((resolve) => createInterface({ input: process.stdin }).once('line', resolve)));

if (settings.now !== undefined) {
  const Machine = Date;
  const ahead = settings.now * 1000 - Machine.now();
  globalThis.Date = class extends Machine {
    constructor(...given) { super(...(given.length ? given : [Machine.now() + ahead])); }
    static now() { return Machine.now() + ahead; }
  };
}
// It warns of what a service must not do, and a demo may: people in memory, any node that runs it.
console.warn = console.info = () => {};
const { default: Provider } = await import('oidc-provider');

function newKey(kid) {
  // By way of its text: node 20 locks a key while it is exported, and a garbage collection that then takes away what generated this very
  // key waits for the same lock, for ever.
  const written = { type: 'pkcs8', format: 'pem' };
  const made = generateKeyPairSync('rsa', { modulusLength: 2048, privateKeyEncoding: written, publicKeyEncoding: { type: 'spki', format: 'pem' } });
  const privateKey = createPrivateKey(made.privateKey);
  return { ...privateKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256', key: privateKey };
}
const published = ({ kty, n, e, kid, use, alg }) => ({ kty, n, e, kid, use, alg });

const first = newKey('first');
const state = { fault: '', silent: false, slow: 0, key: first, last: {} };

const server = createServer(handle);
await new Promise((resolve) => server.listen(settings.port ?? 0, '127.0.0.1', resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;
const people = new Map(settings.people.map((person) => [person.sub, person]));

const provider = new Provider(issuer, {
  clients: [{
    client_id: settings.client,
    client_secret: settings.secret,
    redirect_uris: [settings.redirect],
    grant_types: ['authorization_code'],
    response_types: ['code'],
    token_endpoint_auth_method: 'client_secret_basic',
    id_token_signed_response_alg: 'RS256',
    backchannel_logout_uri: settings.logout,
    backchannel_logout_session_required: true,
  }],
  jwks: { keys: [{ ...first, key: undefined }] },
  acrValues: [...new Set(settings.people.flatMap((person) => person.acr))],
  scopes: ['openid', 'profile', 'egovnrn'],
  claims: { openid: ['sub'], profile: ['name'], egovnrn: ['egovNRN'] },
  features: {
    devInteractions: { enabled: false },
    backchannelLogout: { enabled: true },
    claimsParameter: { enabled: true },
  },
  cookies: { keys: [randomUUID()], short: { path: '/' } },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  pkce: { required: () => true },
  ttl: { AccessToken: 60, AuthorizationCode: 60, IdToken: 300, Interaction: 600, Session: 3600, Grant: 3600 },
  findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub, egovNRN: people.get(sub).insz, name: people.get(sub).name }) }),
  // Nobody is asked for consent: the gateway is the only one that asks here.
  loadExistingGrant: async (context) => {
    const grant = new context.oidc.provider.Grant({ clientId: context.oidc.client.clientId, accountId: context.oidc.session.accountId });
    grant.addOIDCScope('openid profile egovnrn');
    grant.addOIDCClaims(['egovNRN', 'auth_time', 'acr']);
    await grant.save();
    return grant;
  },
  // To the gateway, wherever its names lead: this machine has no other.
  fetch: (address, options) => new Promise((resolve, reject) => {
    const asked = (address.startsWith('https:') ? secure : plain)(address, {
      method: options.method, headers: Object.fromEntries(new Headers(options.headers)), ca: settings.ca,
      lookup: (_, how, found) => (how.all ? found(null, [{ address: '127.0.0.1', family: 4 }]) : found(null, '127.0.0.1', 4)),
    }, (answer) => { answer.resume(); answer.on('end', () => resolve(new Response(null, { status: answer.statusCode }))); });
    asked.on('error', reject);
    asked.end(options.body?.toString());
  }),
});
provider.on('server_error', (_, error) => console.error(error));
provider.use(async (context, next) => {
  await next();
  if (context.path === '/jwks') context.body = { keys: [...new Set([first, state.key])].map(published) };
  if (context.path === '/token' && context.body?.id_token) context.body.id_token = signed(context.body.id_token);
});

// --- tokens that are right, and tokens that are wrong ---------------------------------------------------------------------

const encoded = (content) => Buffer.from(JSON.stringify(content)).toString('base64url');
const HOUR = 3600;
const FAULTS = {
  'wrong nonce': (claims) => ({ ...claims, nonce: 'another' }),
  'swapped audience': (claims) => ({ ...claims, aud: 'another-client' }),
  'another issuer': (claims) => ({ ...claims, iss: 'https://another.example' }),
  expired: (claims) => ({ ...claims, exp: claims.exp - HOUR }),
  'issued before it was asked for': (claims) => ({ ...claims, iat: claims.iat - HOUR }),
  'stale auth_time': (claims) => ({ ...claims, auth_time: claims.auth_time - 24 * HOUR }),
  'no auth_time': ({ auth_time: _, ...claims }) => claims,
  'unknown acr': (claims) => ({ ...claims, acr: 'urn:be:fedict:iam:fas:Level9999' }),
  'of a program': (claims) => ({ ...claims, gty: 'client-credentials' }),
  'on behalf of': (claims) => ({ ...claims, act: { sub: 'agent' } }),
  'no number': ({ egovNRN: _, ...claims }) => claims,
};

function signed(token) {
  let claims = JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
  state.last = claims;
  claims = (FAULTS[state.fault] ?? ((same) => same))(claims);
  const head = { alg: 'RS256', typ: 'JWT', kid: state.key.kid };
  if (state.fault === 'alg none') return `${encoded({ ...head, alg: 'none' })}.${encoded(claims)}.`;
  if (state.fault === 'HS256 with the public key') {
    const text = `${encoded({ ...head, alg: 'HS256' })}.${encoded(claims)}`;
    const secret = createPublicKey(state.key.key).export({ type: 'spki', format: 'pem' });
    return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
  }
  if (state.fault === 'unpublished key') return rs256({ ...head, kid: 'unheard-of' }, claims, newKey('unheard-of').key);
  if (state.fault === 'wrong signature') return rs256(head, claims, newKey(head.kid).key);
  return rs256(head, claims, state.key.key);
}

function rs256(head, claims, key) {
  const text = `${encoded(head)}.${encoded(claims)}`;
  return `${text}.${sign('RSA-SHA256', Buffer.from(text), key).toString('base64url')}`;
}

// --- pages and control ----------------------------------------------------------------------------------------------------

const escaped = (text) => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
const TITLE = 'Demo federal authentication service';

async function handle(asked, answer) {
  const path = new URL(asked.url, 'http://localhost').pathname;
  try {
    if (path === '/control') return await control(asked, answer);
    if (state.silent) return asked.socket.destroy();
    if (state.slow && !path.startsWith('/interaction/') && !path.startsWith('/auth')) {
      await new Promise((resolve) => setTimeout(resolve, state.slow * 1000));
    }
    if (path.startsWith('/interaction/')) return await interact(asked, answer);
    return provider.callback()(asked, answer);
  } catch (error) {
    answer.writeHead(400, { 'Content-Type': 'text/plain' }).end(error.message);
  }
}

async function body(asked) {
  let text = '';
  for await (const piece of asked) text += piece;
  return text;
}

async function interact(asked, answer) {
  const { uid, params, prompt } = await provider.interactionDetails(asked, answer);
  if (asked.method === 'POST') {
    const form = new URLSearchParams(await body(asked));
    const result = form.has('cancel')
      ? { error: 'access_denied', error_description: 'the person cancelled' }
      : { login: { accountId: form.get('who'), acr: form.get('acr') } };
    return provider.interactionFinished(asked, answer, result, { mergeWithLastSubmission: false });
  }
  const wanted = (params.acr_values ?? '').split(' ');
  const buttons = settings.people.flatMap((person) => person.acr.map((acr) => `
<form method="post" action="/interaction/${uid}"><input type="hidden" name="who" value="${escaped(person.sub)}">
<button name="acr" value="${escaped(acr)}"${wanted.includes(acr) ? '' : ' class="other"'}>${escaped(person.name)}, ${escaped(LEVELS[acr] ?? acr)}</button></form>`));
  answer.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8', 'Cache-Control': 'no-store' }).end(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${TITLE}</title>
<style>body{font:1rem/1.5 system-ui;max-width:32rem;margin:3rem auto;padding:0 1rem}button{font:inherit;padding:.6rem 1rem;margin:.3rem 0;width:100%}.other{opacity:.6}</style>
<h1>${TITLE}</h1><p>This stands in for the real one: nobody is asked for a card or a telephone here. Who are you (${escaped(prompt.name)})?</p>
${buttons.join('')}
<form method="post" action="/interaction/${uid}"><button name="cancel" value="1">Cancel</button></form></html>`);
}

const LEVELS = {
  'urn:be:fedict:iam:fas:Level500': 'eID',
  'urn:be:fedict:iam:fas:Level450': 'itsme',
  'urn:be:fedict:iam:fas:Level400': 'security code via mobile app',
  'urn:be:fedict:iam:fas:Level200': 'user name and password',
};

// What the tests do to it. `fault`: a name of FAULTS or of `signed`, or "". `silent`: it breaks every connection off; `slow`: it waits so
// many seconds. `rotate`: a new key. `logout`: tells the gateway that the last "session" is over, or every one of its "person"
// (`to`: tells another address instead).
async function control(asked, answer) {
  const orders = JSON.parse(await body(asked));
  for (const name of ['fault', 'silent', 'slow']) if (name in orders) state[name] = orders[name];
  if (orders.rotate) state.key = newKey(randomUUID());
  if (orders.logout) {
    const client = await provider.Client.find(settings.client);
    if (orders.to) client.backchannelLogoutUri = orders.to;
    await client.backchannelLogout(state.last.sub, orders.logout === 'session' ? state.last.sid : undefined);
  }
  answer.writeHead(204).end();
}

console.log(JSON.stringify({ issuer }));
