"""Attribution methods: functions of a network and its input windows."""
