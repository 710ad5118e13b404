// node driver.mjs DIRECTORY-OF-node_modules - a browser's remote control: a command a line, an answer a line
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';

const { chromium } = createRequire(`${process.argv[2]}/`)('playwright-core');
const DEADLINE_MS = 20000;
const late = () => new Promise((_, fail) => setTimeout(fail, 1.5 * DEADLINE_MS, new Error('no answer')).unref());
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  chromiumSandbox: process.getuid() !== 0, // it refuses to work for root
});
const people = new Map(); // each has storage of its own
const tabs = new Map();

async function open({ person, tab, url, clock }) {
  if (!people.has(person)) people.set(person, await browser.newContext());
  const page = await people.get(person).newPage();
  page.setDefaultTimeout(DEADLINE_MS);
  const errors = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  tabs.set(tab, { page, errors });
  if (clock) await page.clock.install();
  await page.goto(url);
}

/* page.waitForFunction takes a promise for true, whatever comes of it. */
async function wait({ page }, { expression }) {
  for (const end_ms = Date.now() + DEADLINE_MS; !(await page.evaluate(expression)); await pause(20)) {
    if (Date.now() > end_ms) throw new Error(`not in ${DEADLINE_MS} ms`);
  }
  return true;
}

const commands = {
  open,
  reload: ({ page }) => page.reload().then(() => null),
  click: ({ page }, { selector }) => page.click(selector),
  value: ({ page }, { expression }) => page.evaluate(expression),
  wait,
  forward: ({ page }, { ms }) => page.clock.fastForward(ms),
  errors: ({ errors }) => errors,
  leave: (_, { person }) => people.get(person).close(),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { act, ...more } = JSON.parse(line);
  try {
    const known = tabs.get(more.tab);
    const done = act === 'open' ? open(more) : commands[act]({ ...known }, more);
    const value = await Promise.race([done, late()]);
    console.log(JSON.stringify({ value: value ?? null }));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error.message ?? error) }));
  }
}
await browser.close();
