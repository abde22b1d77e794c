import type { HandlerContext, MethodImpl } from '@connectrpc/connect';
import {
  type AuthenticationService,
  type RegisterRequest,
  RegisterRequestSchema,
} from '../../../../gen/optix/identity/v1/authentication_service_pb.ts';
import type { IdentityContext } from '../../context.ts';
import { parseEmail } from '../../domain/email.ts';
import { parsePersonName } from '../../domain/person-name.ts';
import { parsePhone } from '../../domain/phone.ts';
import { type Registration, register as registerUser } from '../../domain/register.ts';
import { takeDevice } from '../device-field.ts';
import { Fields } from '../fields.ts';
import { requestKeyOf } from '../request-key.ts';
import { userMessage } from '../user-message.ts';

type Context = Pick<IdentityContext, 'registration' | 'requestKeys' | 'outcomes'>;

/** optix.identity.v1.AuthenticationService/Register */
export function register(context: Context): MethodImpl<typeof AuthenticationService.method.register> {
  return async (request, call) => {
    const user = await context.outcomes.registrations.count(
      call.signal,
      async () => {
        const registration = await registrationOf(context, request, call);
        return await registerUser(context.registration, registration, call.signal);
      },
      () => 'registered',
    );
    return { user: userMessage(user) };
  };
}

async function registrationOf(
  context: Context,
  request: RegisterRequest,
  call: HandlerContext,
): Promise<Registration> {
  const fields = new Fields();
  const { passwordPolicy } = context.registration;
  const registration = {
    email: fields.take('email', parseEmail(request.email)),
    password: fields.take('password', await passwordPolicy.check(request.password, request)),
    firstName: fields.take('first_name', parsePersonName(request.firstName)),
    lastName: fields.take('last_name', parsePersonName(request.lastName)),
    phone: request.phone === '' ? null : fields.take('phone', parsePhone(request.phone)),
    device: takeDevice(fields, request.device, call),
  };
  fields.check();
  return { ...registration, requestKey: requestKeyOf(context, call, RegisterRequestSchema, request) };
}
