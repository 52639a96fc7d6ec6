/** State that is kept between calls. */

export { Globals, SessionManager } from './manager.js';
export { type CreatedProgram, type ProgramCommands, Programs } from './programs.js';
export { Session, type SessionOwner } from './session.js';
export { type SessionInfo, SessionStore, type SessionsStats } from './store.js';
