import Protobuf
import RPC

extension RPCError {
    /// The program's word for what went wrong, such as `INSUFFICIENT_CREDITS`; nil where the peer gave none.
    var reason: String? { errorInfo?.reason }

    /// What went wrong and what to do about it, on one line.
    var sentence: String {
        let text = printable(message.isEmpty ? code.name : message)
        switch (reason, code) {
        case ("KEY_INVALID", _), (nil, .unauthenticated):
            return "the server does not know the key: give a good one with --key or TOLLGATE_KEY"
        case ("PERMISSION_MISSING", _):
            return "\(text): use a key whose role has that permission"
        case ("TENANT_NOT_FOUND", _):
            return "\(text): 'tollgate tenant list' shows the tenants, --tenant chooses one"
        case ("INSUFFICIENT_CREDITS", _):
            return "\(text): give the tenant credits with 'tollgate grant'"
        case (_, .unavailable):
            return "the server cannot be reached or takes no steps now: \(text); check --server and that it runs"
        case (_, .deadlineExceeded):
            return "no answer came within \(Limits.callSeconds) s: look at the server's log"
        case (_, .unimplemented):
            return "the server does not have this call: \(text); is it an older Tollgate, or no Tollgate?"
        case (let reason?, _): return "\(text) (\(reason))"
        case (nil, _): return "\(text) (\(code.name))"
        }
    }
}
