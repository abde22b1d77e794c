import { runService } from '../../runtime/lifecycle.ts';
import { startRateLimit } from './service.ts';

await runService(async () => await startRateLimit(process.env));
