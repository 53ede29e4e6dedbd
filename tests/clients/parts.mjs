// Loads packages from tests/.parts, which is not where the scripts are.

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(new URL("../.parts/node/package.json", import.meta.url));

export const load = (name) => import(pathToFileURL(require.resolve(name)));
