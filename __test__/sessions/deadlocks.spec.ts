/** Strict sessions on different workers whose handlers call into each other, by way of Node. */

import { describe, expect, test } from '@jest/globals';
import { type Session, SessionError, type Synapse } from '../../ts/index.js';
import { spawnModule } from '../support/modules.js';

const MODULE = `
  import threading
  from synapse import handler, host

  @handler
  def where():
      import os
      return os.getpid()

  @handler
  def asks(other):
      return host.visit(other).result()

  @handler
  async def asks_async(other):
      return await host.visit(other)

  @handler
  def asks_beside(other):
      found = []
      thread = threading.Thread(target=lambda: found.append(host.visit(other).result()))
      thread.start()
      return True
`;

/** Two sessions on two workers. */
async function two(): Promise<{ synapse: Synapse; ada: Session; bob: Session }> {
  const synapse = await spawnModule(MODULE, { workers: 2 });
  const ada = synapse.session('ada', { affinity: 'strict-queue' });
  const bob = synapse.session('bob', { affinity: 'strict-queue' });
  const [one, other] = await Promise.all([ada.invoke('where'), bob.invoke('where')]);
  expect(one).not.toBe(other);
  return { synapse, ada, bob };
}

describe('two strict sessions that call into each other', () => {
  test.each(['asks', 'asks_async'])('are told, and only the second: %s', async (name) => {
    const { synapse, ada, bob } = await two();
    const sessions = new Map([ada, bob].map((session) => [session.id, session]));
    const failures: unknown[] = [];
    let both!: () => void;
    const met = new Promise<void>((resolve) => {
      both = resolve;
    });
    let inside = 0;
    synapse.handle('visit', async (other: string) => {
      inside++;
      if (inside === 2) both();
      await met;
      try {
        return await sessions.get(other)?.invoke('where');
      } catch (reason) {
        failures.push(reason);
        return 'refused';
      }
    });
    const answers = await Promise.all([ada.invoke(name, ['bob']), bob.invoke(name, ['ada'])]);
    expect(answers.filter((answer) => answer === 'refused')).toHaveLength(1);
    expect(failures).toHaveLength(1);
    expect(failures[0]).toBeInstanceOf(SessionError);
    expect(failures[0]).toMatchObject({ code: 'DEADLOCK', retryable: false });
    const { message, session } = failures[0] as SessionError;
    expect(['ada', 'bob']).toContain(session);
    expect(message).toMatch(/session "ada"/);
    expect(message).toMatch(/session "bob"/);
    // Nothing is left of it.
    expect(await ada.invoke('where')).not.toBe(await bob.invoke('where'));
  });

  test('are told as well where one has called the other', async () => {
    const { synapse, ada, bob } = await two();
    synapse.handle('visit', (other: string) =>
      other === 'bob' ? bob.invoke('asks', ['ada']) : ada.invoke('where'),
    );
    await expect(ada.invoke('asks', ['bob'])).rejects.toMatchObject({
      message: expect.stringContaining('would never begin'),
    });
  });

  test('are served where a thread beside the calls asks', async () => {
    const { synapse, ada, bob } = await two();
    let over!: (answers: unknown) => void;
    const found = new Promise((resolve) => {
      over = resolve;
    });
    synapse.handle('visit', async (other: string) => {
      if (other === 'bob') return bob.invoke('asks', ['ada']);
      const answer = await ada.invoke('where');
      over(answer);
      return answer;
    });
    expect(await ada.invoke('asks_beside', ['bob'])).toBe(true);
    expect(await found).toBe(await ada.invoke('where'));
  });
});
