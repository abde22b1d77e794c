import { runService } from '../../runtime/lifecycle.ts';
import { startIdentity } from './service.ts';

await runService(async () => await startIdentity(process.env));
