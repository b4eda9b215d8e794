"""Fetching what partners have.

    puller     who is to be pulled, by this process
    sync       one run: page after page of one module of one partner
    crawl      from page to page, whatever their paging is like
    pulled     what a page holds
    reconcile  what becomes of what was in no page

Begin with ``sync``. When something is due is decided in ``hub/roaming/pulls/``.
"""
