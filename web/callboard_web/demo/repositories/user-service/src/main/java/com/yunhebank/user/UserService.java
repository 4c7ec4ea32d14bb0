package com.yunhebank.user;

import org.springframework.stereotype.Service;

/** 客户资料；手机号等敏感字段以 SM4 加密保存。 */
@Service
public class UserService {

    private final UserRepository users;
    private final FieldCipher cipher;
    private final UserEvents events;

    public UserService(UserRepository users, FieldCipher cipher, UserEvents events) {
        this.users = users;
        this.cipher = cipher;
        this.events = events;
    }

    public User get(String userId) {
        return users.find(userId).map(this::masked).orElseThrow(() -> new UserNotFound(userId));
    }

    public User change(String userId, UserChange change) {
        User changed = users.update(userId, change.encrypted(cipher));
        events.changed(changed);
        return masked(changed);
    }

    private User masked(User user) {
        return user.withMobile(Mask.mobile(cipher.decrypt(user.mobile())));
    }
}
