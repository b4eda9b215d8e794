"""What the hub fetches from partners: when, how far it got, and how fresh that is.

    sync_terms   when a module of a partner is due
    sync_states  how far each module was pulled, and who is at it
    absences     what is in no page any more
    arrivals     when something last came
    freshness    what has stopped flowing

Begin with ``sync_terms``. The fetching itself is in ``hub/ocpi/pulls/``.
"""
