// What a request says about its own signature, and what can be wrong with it. Types only: both signature versions share them.

export interface SignedRequest {
  method: string;
  /** Path and query exactly as on the request line. */
  target: string;
  /** Names and values in the order received, as Node's rawHeaders. */
  rawHeaders: string[];
}

export interface Claim {
  presigned: boolean;
  accessKeyId: string;
  date: string;
  region: string;
  service: string;
  signedHeaders: string[];
  signature: string;
  /** YYYYMMDDTHHMMSSZ */
  amzDate: string;
  sessionToken?: string;
  /** Presigned only. */
  expiresS?: number;
  /** Only in the older signature of S3 URLs (sigv2.ts). */
  v2ExpiresAtS?: number;
}

export type SignatureFault =
  | { kind: 'incomplete'; detail: string }
  | { kind: 'unknown-key' }
  | { kind: 'bad-token' }
  | { kind: 'expired-token' }
  | { kind: 'skewed'; requestAt: string }
  | { kind: 'expired-url'; expiresAt: string; nowAt: string }
  | { kind: 'unsigned-headers'; names: string[] }
  | { kind: 'mismatch'; canonicalRequest: string; stringToSign: string };
