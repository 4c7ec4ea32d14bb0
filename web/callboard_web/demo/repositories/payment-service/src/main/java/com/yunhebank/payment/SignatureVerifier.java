package com.yunhebank.payment;

import com.yunhebank.crypto.Sm2;

/** 用国密 SM2 验证渠道报文签名。 */
public final class SignatureVerifier {

    private final Sm2 sm2;

    public SignatureVerifier(Sm2 sm2) {
        this.sm2 = sm2;
    }

    public void verify(byte[] message, byte[] signature, String keyIdentifier) {
        if (!sm2.verify(keyIdentifier, message, signature)) {
            throw new InvalidSignatureException("报文签名不正确: " + keyIdentifier);
        }
    }
}
