"""Engines on other machines: Ray actors behind a dispatcher process of the bot's own.

```
bot's process ── ClusterKeeper (one a seat) ── Cluster ══ socket pair ══ dispatcher (Ray's driver)
                                                                            ║ Ray
                        engine process ══ arena ══ Keeper, watchdog ── Host (an actor on a node)
```

A *seat* is a place for one engine somewhere in the cluster, and to the bot it is one more keeper
beside those of its own devices: the same messages go in, the same four callbacks come back. So
order, replay, poison and estimates stay where they are, in the client, and nothing here decides
over jobs. A node that goes takes one seat's rows along, which the client queues again; a keeper
that spread requests over nodes by itself would have had to repeat all of that. Surplus seats
cost nothing.

The actor hosts what the bot hosts on its own device: an arena, a keeper and an engine process,
so that a killed, hung or poisoned engine is found and replaced on its node within a moment, by
the same code; the actor only passes on what its keeper says. The dispatcher opens no letter and
holds no database and no secret but Ray's. It is a process of its own because Ray ends the
driver's process when the cluster's head dies; the bot then starts another.

Ray promises to deliver at least once, not once. A letter therefore carries who sent it (the
host, numbered by the dispatcher), its number, and which start of the host's engine it speaks of;
a seat takes each number once, and nothing of a host or a start that is not the present one. A
picture that comes late from a node that was given up is dropped there; a job's owner and attempt
in SQL fence the bot itself in the same way.
"""
