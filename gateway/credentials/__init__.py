"""Pure verification of credentials: values in, values or CredentialError out."""
