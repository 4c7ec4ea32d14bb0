package com.yunhebank.payment;

import org.springframework.stereotype.Service;
import org.springframework.transaction.annotation.Transactional;

/** 受理支付：先风控，后网关，最后记账。 */
@Service
public class PaymentService {

    private final RiskClient risk;
    private final GatewayClient gateway;
    private final LedgerClient ledger;
    private final PaymentRepository payments;

    public PaymentService(
            RiskClient risk, GatewayClient gateway, LedgerClient ledger, PaymentRepository payments) {
        this.risk = risk;
        this.gateway = gateway;
        this.ledger = ledger;
        this.payments = payments;
    }

    @Transactional
    public Payment start(NewPayment request) {
        Payment payment = payments.addOnce(request.idempotencyKey(), request.toPayment());
        if (risk.assess(payment).isRejected()) {
            return payments.update(payment.failed("RISK_REJECTED"));
        }
        gateway.submit(payment);
        return payment;
    }

    @Transactional
    public Payment finished(String paymentId, GatewayResult result) {
        Payment payment = payments.lock(paymentId);
        if (payment.isFinal()) {
            return payment;
        }
        ledger.post(payment, result);
        return payments.update(payment.finish(result));
    }
}
