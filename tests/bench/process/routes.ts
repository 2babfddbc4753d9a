/**
 * One core that is told routes.
 *
 * @module
 */

import { recordTime } from "../../sim/core_alone.ts";
import { obey } from "./commands.ts";

obey({ measure: () => ({ record: recordTime() }) });
