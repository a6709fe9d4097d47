// Does: STS GetCallerIdentity.
// Gaps: AssumeRole, GetSessionToken, GetAccessKeyInfo, DecodeAuthorizationMessage.
// Source: STS API Reference, API version 2011-06-15.
import { AwsFault } from '../../wire/call.ts';
import type { QueryService } from '../../wire/call.ts';
import { credentialTable } from '../../wire/credentials.ts';

export const sts: QueryService = {
  protocol: 'query',
  name: 'sts',
  xmlns: 'https://sts.amazonaws.com/doc/2011-06-15/',
  operations: {
    GetCallerIdentity(_params, { cloud, accountId, accessKeyId }) {
      const caller = credentialTable(cloud.world).get(accessKeyId);
      if (!caller) throw new AwsFault('InvalidClientTokenId', 'The security token included in the request is invalid.', 403);
      return { Arn: caller.principalArn, UserId: caller.userId, Account: accountId };
    },
  },
};
