/// What the connections of a loop hold together, so that many of them hold no more than memory has, whatever each may hold.
///
/// No connection may have more than a fourth of what all together leave free (Choudhury and Hahne's dynamic thresholds): alone
/// it has a fifth of everything, many hogs share what there is, and always some is left for who comes with little.
struct LoopHoldings {
    var outputBytes = 0
    var streams = 0
    var queuedFrames = 0

    /// What one connection may hold now.
    var outputShare: Int { max(0, Limits.loopOutputBytesMax - outputBytes) / Limits.loopShare }
    var streamShare: Int { max(Limits.leastStreams, (Limits.loopStreamsMax - streams) / Limits.loopShare) }
    var queuedFrameShare: Int {
        max(Limits.leastQueuedFrames, (Limits.loopQueuedFramesMax - queuedFrames) / Limits.loopShare)
    }
}
