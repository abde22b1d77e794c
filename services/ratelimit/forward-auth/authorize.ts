import type { Authorize } from '../../../runtime/forward-auth/forward-auth-routes.ts';
import { GatewayMisconfigured } from '../../../runtime/forward-auth/gateway-misconfigured.ts';
import { limitAnswer } from '../../../runtime/forward-auth/limit-answer.ts';
import {
  LIMIT_PARAMETERS,
  limitIdentifier,
  limitQuestion,
} from '../../../runtime/forward-auth/limit-question.ts';
import { readParameters } from '../../../runtime/forward-auth/parameters.ts';
import type { RateLimitContext } from '../context.ts';
import { CostExceedsLimit } from '../domain/errors.ts';
import { noteDecision } from '../rpc/decision-span.ts';
import { decisionResponse } from '../rpc/rate-limit/decision-response.ts';

/** Counts the request against the limit that the gateway names. */
export function authorize({ limiter }: Pick<RateLimitContext, 'limiter'>): Authorize {
  return async (gateway, request) => {
    const parameters = readParameters(request.query, LIMIT_PARAMETERS);
    const question = limitQuestion(parameters, { gateway, knowsUsers: false });
    if (question === undefined) throw new GatewayMisconfigured('limit is not set');
    const { endpoint, cost } = question;
    const identifier = limitIdentifier(question, gateway, request, undefined);
    try {
      const decision = await limiter.check({
        endpoint,
        identifier,
        cost,
        roles: [],
        also: [],
        refundable: false,
      });
      return limitAnswer(decisionResponse(noteDecision(decision)));
    } catch (error) {
      if (error instanceof CostExceedsLimit) throw new GatewayMisconfigured(error.message);
      throw error;
    }
  };
}
