/** Callbacks: Python calls Node. */

export type { HandlerContext } from './context.js';
export type { HostFailure } from './failure.js';
export { FunctionTable } from './functions.js';
export { type ValueParts, writeAnswer, writeAsked, writeEnd } from './outgoing.js';
export {
  type HandlerRegistration,
  type HostHandler,
  HostHandlers,
  type HostModule,
} from './registry.js';
export {
  type AnswerKind,
  type Asked,
  type Asking,
  type CallbackLink,
  CallbackServer,
} from './server.js';
export { SessionHandlers } from './session-handlers.js';
export type { ToolInfo, ToolOptions } from './tools.js';
export { holdsInputs, waitWithInputs } from './waiting.js';
