import { EchoService } from '../../gen/optix/testing/v1/echo_service_pb.ts';
import { methodName } from '../service-table.ts';
import { ANY_CALLER, Policy } from './policy.ts';

const { method } = EchoService;

/** Full names of the RPCs of the tests' own service. */
export const RPCS = {
  echo: methodName(method.echo),
  repeat: methodName(method.repeat),
  join: methodName(method.join),
  chat: methodName(method.chat),
};

/** A policy of that service in which each kind of entry stands; Chat has none. */
export const policy = new Policy({
  rpcs: { [RPCS.echo]: 'echo.read', [RPCS.repeat]: 'echo.admin', [RPCS.join]: ANY_CALLER },
  defaultScopes: ['echo.read'],
});
