/** State that is kept between calls. */

export { Globals, SessionManager } from './manager.js';
export { Session, type SessionOwner } from './session.js';
export { type SessionInfo, SessionStore, type SessionsStats } from './store.js';
