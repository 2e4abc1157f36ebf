declare const sealed: unique symbol

/**
 * A secret in the form that the domain `sealed_secret` takes. Only sealing makes one, and `parseSealedSecret`, which
 * looks at the form.
 */
export type SealedSecret = string & { readonly [sealed]: true }
