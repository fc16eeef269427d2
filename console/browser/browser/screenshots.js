// Takes screenshots of every view: `npm run screenshots -- FOLDER`.

import { mkdir } from "node:fs/promises";
import { addresses, settle } from "./addresses.js";
import { launch, open, Server } from "./support.js";

const folder = process.argv[2] ?? "screenshots";
const SIZES = [
  [390, 844],
  [1280, 800],
  [1920, 1080],
];

const [browser, server] = await Promise.all([launch(), Server.start()]);
await mkdir(folder, { recursive: true });
await server.tell("crash till");
await server.tell("poison 3");
await server.tell("wait");
for (const [width, height] of SIZES) {
  for (const colorScheme of ["light", "dark"]) {
    const page = await open(browser, server, { viewport: { width, height }, colorScheme });
    for (const [name, hash] of Object.entries(await addresses(server))) {
      await page.goto(`${server.url}/${hash}`);
      await settle(page);
      await page.screenshot({ path: `${folder}/${name}-${width}-${colorScheme}.png` });
    }
    await page.context().close();
  }
}
await browser.close();
await server.stop();
