"""The room that decides who answers whom: policy, operators' states, roster, and the queue that lends desks out."""
