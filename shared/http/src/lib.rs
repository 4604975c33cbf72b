//! What every HTTP function shares: keys, problem+json, bodies with the field in the error
