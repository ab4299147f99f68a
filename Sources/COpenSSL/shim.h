// The low-level SHA-256 is deprecated in favour of EVP, which allocates a context and an algorithm's state for each
// digest: for the digest of a step's request that takes several times what the digest itself takes.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
