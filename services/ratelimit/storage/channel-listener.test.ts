import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { expect, it } from 'vitest';
import { singleRedis } from '../../../runtime/redis-target.ts';
import { startRedis } from '../../../stack/redis-server.ts';
import { ChannelListener } from './channel-listener.ts';

it('ChannelListener survives connections that are lost while it subscribes anew', async () => {
  await using redis = await startRedis();
  let connections = 0;
  // The first works until it is cut; the next six are cut as soon as they subscribe.
  const proxy = createServer((near) => {
    const far = connect(redis.port, '127.0.0.1');
    const number = ++connections;
    for (const socket of [near, far]) socket.on('error', () => socket.destroy());
    near.on('close', () => far.destroy());
    near.on('data', (data) => {
      if (number > 1 && number < 8 && /subscribe/i.test(String(data))) near.destroy();
      else far.write(data);
    });
    far.pipe(near);
    if (number === 1) setTimeout(() => near.destroy(), 300);
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => unhandled.push(reason);
  process.on('unhandledRejection', note);
  const states: boolean[] = [];
  const listener = new ChannelListener({
    target: singleRedis(`redis://127.0.0.1:${(proxy.address() as AddressInfo).port}`),
    channel: 'ratelimit:test',
    name: 'test',
    nodes: () => [],
    onMessage: () => undefined,
    onState: (listening) => states.push(listening),
    onError: () => undefined,
  });
  try {
    await expect.poll(() => states, { timeout: 10_000 }).toEqual([true, false, true]);
    expect(connections).toBe(8);
    expect(unhandled).toEqual([]);
  } finally {
    process.off('unhandledRejection', note);
    listener[Symbol.dispose]();
    proxy.close();
  }
}, 20_000);
