/** The floor: the least that a grpc-js server with protobuf-es messages can do. Prints its port. */
import { create } from '@bufbuild/protobuf';
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js';
import {
  type EchoRequest,
  EchoResponseSchema,
  EchoService,
} from '../gen/optix/testing/v1/echo_service_pb.ts';
import { methodDefinition } from '../runtime/grpc-mount.ts';

const server = new Server();
server.addService(
  { echo: methodDefinition(EchoService.method.echo) },
  {
    echo: (call: ServerUnaryCall<EchoRequest, unknown>, callback: sendUnaryData<unknown>) => {
      callback(null, create(EchoResponseSchema, { text: call.request.text }));
    },
  },
);
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  console.log(port);
});
