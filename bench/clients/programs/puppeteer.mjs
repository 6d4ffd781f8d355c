// Chromium driven by puppeteer-core: `node puppeteer.mjs headless|headed`; signs in at URL as USER_ID with PASSWORD, and works.
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const { URL: url, USER_ID: user, PASSWORD: password, AGENT: agent, NODE_TOOLS: tools } = process.env;
const { default: puppeteer } = await import(pathToFileURL(createRequire(path.join(tools, "x.js")).resolve("puppeteer-core")).href);
const args = ["--no-sandbox", "--no-first-run", "--disable-sync", "--disable-background-networking", "--disable-gpu"];
if (process.argv[3] === "spoofed") args.push(`--user-agent=${agent}`);
const browser = await puppeteer.launch({ executablePath: "/usr/bin/chromium", headless: process.argv[2] === "headless", acceptInsecureCerts: true, args });
try {
  const page = await browser.newPage();
  await page.goto(url);
  await page.type("[name=user_id]", user);
  await page.type("[name=password]", password);
  await Promise.all([page.waitForNavigation(), page.click("main form button")]);
  await page.waitForSelector("[name=query]");
  console.log("the list");
  for (const name of ["documents", "live", "queue"]) await (await browser.newPage()).goto(`${url}${name}`);
} finally {
  await browser.close();
}
