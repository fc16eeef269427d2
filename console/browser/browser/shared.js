// A browser and a server that the tests of one file share. Each file runs in a process of its own.

import { after } from "node:test";
import { launch, Server } from "./support.js";

export const [browser, server] = await Promise.all([launch(), Server.start()]);

after(async () => {
  await browser.close();
  await server.stop();
});
