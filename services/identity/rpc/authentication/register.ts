import type { HandlerContext, MethodImpl } from '@connectrpc/connect';
import type {
  AuthenticationService,
  RegisterRequest,
} from '../../../../gen/optix/identity/v1/authentication_service_pb.ts';
import type { IdentityContext } from '../../context.ts';
import { parseEmail } from '../../domain/email.ts';
import { parseNewPassword } from '../../domain/password-policy.ts';
import { parsePersonName } from '../../domain/person-name.ts';
import { parsePhone } from '../../domain/phone.ts';
import { type Registration, register as registerUser } from '../../domain/register.ts';
import { takeDevice } from '../device-field.ts';
import { Fields } from '../fields.ts';
import { userMessage } from '../user-message.ts';

/** optix.identity.v1.AuthenticationService/Register */
export function register({
  registration,
  passwordMinLength,
}: IdentityContext): MethodImpl<typeof AuthenticationService.method.register> {
  return async (request, context) => {
    const user = await registerUser(
      registration,
      registrationOf(request, context, passwordMinLength),
      context.signal,
    );
    return { user: userMessage(user) };
  };
}

function registrationOf(request: RegisterRequest, context: HandlerContext, minLength: number): Registration {
  const fields = new Fields();
  const registration: Registration = {
    email: fields.take('email', parseEmail(request.email)),
    password: fields.take('password', parseNewPassword(request.password, minLength)),
    firstName: fields.take('first_name', parsePersonName(request.firstName)),
    lastName: fields.take('last_name', parsePersonName(request.lastName)),
    phone: request.phone === '' ? null : fields.take('phone', parsePhone(request.phone)),
    device: takeDevice(fields, request.device, context),
  };
  fields.check();
  return registration;
}
