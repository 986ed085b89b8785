import * as z from 'zod';
import { methods, notifications } from './schema.js';

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): Record<string, unknown> {
  const { $schema, ...rest } = z.toJSONSchema(schema, { io }) as Record<string, unknown>;
  void $schema;
  return rest;
}

/** One by-name parameter after the other, as OpenRPC lists them. */
function parameters(schema: z.ZodObject): object[] {
  const { properties = {}, required = [] } = jsonSchema(schema, 'input') as {
    properties?: Record<string, object>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, property]) => ({
    name,
    required: required.includes(name),
    schema: property,
  }));
}

/** The interface as an OpenRPC 1.3 document (spec.open-rpc.org), made of what requests are checked by. */
export function openRpcDocument(version: string): Record<string, unknown> {
  return {
    openrpc: '1.3.2',
    info: { title: 'lunette', version },
    methods: Object.entries(methods).map(([name, { summary, params, result }]) => ({
      name,
      summary,
      paramStructure: 'by-name',
      params: parameters(params),
      result: { name: 'result', schema: jsonSchema(result, 'output') },
    })),
    'x-notifications': Object.entries(notifications).map(([name, schema]) => ({
      name,
      schema: jsonSchema(schema, 'output'),
    })),
  };
}
