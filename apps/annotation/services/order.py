"""The order of the queue: ranks below Task.TOP are chosen, ranks above are a random draw made on arrival."""

from apps.annotation.models import Task

SPAN = 1 << 52  # arrival ranks are spread over this much
LAST = Task.TOP + (1 << 53)  # hold-out tasks beyond the target wait here

# the same item always falls to the same place: a chosen task that was not reached returns to where it came from
ARRIVAL_RANK = f"{Task.TOP} + (hashint8extended({{item}}, %(seed)s) & {SPAN - 1})"
