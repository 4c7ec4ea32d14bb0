package com.yunhebank.crypto;

/** SM4 加解密；密钥只在密码机内使用。 */
public final class Sm4 {

    private final HsmSession session;

    public Sm4(HsmSession session) {
        this.session = session;
    }

    public byte[] encrypt(String keyIdentifier, byte[] plain) {
        return session.call(HsmCommand.SM4_ENCRYPT, keyIdentifier, plain);
    }

    public byte[] decrypt(String keyIdentifier, byte[] cipher) {
        return session.call(HsmCommand.SM4_DECRYPT, keyIdentifier, cipher);
    }
}
