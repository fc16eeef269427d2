// Takes screenshots of every view: `npm run screenshots -- FOLDER`.

import { mkdir } from "node:fs/promises";
import { prepare, visit } from "./addresses.js";
import { launch, open, Server } from "./support.js";

const folder = process.argv[2] ?? "screenshots";
const SIZES = [
  [390, 844],
  [1280, 800],
  [1920, 1080],
];

const [browser, server] = await Promise.all([launch(), Server.start()]);
await mkdir(folder, { recursive: true });
await prepare(server);
for (const [width, height] of SIZES) {
  for (const colorScheme of ["light", "dark"]) {
    const page = await open(browser, server, { viewport: { width, height }, colorScheme });
    await visit(page, server, (name) =>
      page.screenshot({ path: `${folder}/${name}-${width}-${colorScheme}.png` }),
    );
    await page.context().close();
  }
}
await browser.close();
await server.stop();
