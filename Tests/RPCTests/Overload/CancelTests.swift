import HTTP2
import Protobuf
import Testing

@testable import RPC

/// Who answers for a cancelled call.
@Suite struct CancelTests {
    private let configuration: RPCServerConfiguration = {
        var configuration = RPCServerConfiguration()
        configuration.cancelBurst = 10
        configuration.cancelsPerSecond = 2
        return configuration
    }()

    @Test func aTenantPaysUntilItsBudgetIsSpentAndAgainWhenItHasFilled() {
        let share = CallShare()
        #expect(!share.hasSpentCancels(nowNs: 0))
        for _ in 0..<10 { #expect(share.payForCancel(configuration, nowNs: 0)) }
        #expect(!share.payForCancel(configuration, nowNs: 0))
        #expect(share.hasSpentCancels(nowNs: 499_999_999))
        #expect(!share.hasSpentCancels(nowNs: 500_000_000))
        #expect(share.payForCancel(configuration, nowNs: 500_000_000))
        #expect(share.hasSpentCancels(nowNs: 500_000_000))
    }

    @Test func whoLetsAsManyCallsEndMayCancelForEver() {
        let share = CallShare()
        for _ in 0..<10_000 {
            #expect(share.payForCancel(configuration, nowNs: 0))
            share.callEnded()
        }
        for _ in 0..<100 { share.callEnded() }
        // No more than the burst is saved.
        for _ in 0..<10 { #expect(share.payForCancel(configuration, nowNs: 0)) }
        #expect(!share.payForCancel(configuration, nowNs: 0))
    }

    @Test func theRefusalTellsWhenToTryAgain() {
        let error = ServerCall.tooManyCancels
        #expect(error.code == .resourceExhausted)
        #expect(error.retryInfo?.retryDelay?.duration == .seconds(1))
    }
}
