#!/usr/bin/env python3
"""The kernel's symbol table holds Linux's names, plain: what a reader of Linux types is found.

Usage: linux_names.py NM VMLINUX — each name below must be a defined symbol. They are names of Linux 6.1's own symbol
table (System.map), so a name that this kernel alone has does not belong here.
"""
import subprocess
import sys

FUNCTIONS = """
start_kernel setup_arch trap_init sched_init init_IRQ init_timers timekeeping_init console_init fork_init
proc_caches_init rest_init kernel_init kthreadd free_initmem run_init_process mount_root do_initcalls
schedule __schedule context_switch finish_task_switch schedule_tail pick_next_task activate_task deactivate_task
ttwu_do_activate try_to_wake_up wake_up_process wake_up_new_task check_preempt_curr resched_curr scheduler_tick
set_user_nice do_idle preempt_schedule do_sched_yield calc_global_load update_rq_clock
update_curr update_min_vruntime place_entity enqueue_entity dequeue_entity __enqueue_entity __dequeue_entity
pick_next_entity set_next_entity put_prev_entity entity_tick check_preempt_tick wakeup_preempt_entity
check_preempt_wakeup enqueue_task_fair dequeue_task_fair pick_next_task_fair put_prev_task_fair task_tick_fair
task_fork_fair sched_slice account_entity_enqueue account_entity_dequeue
copy_process kernel_clone do_exit do_group_exit do_wait release_task forget_original_parent exit_mm exit_files
exit_fs mm_release alloc_pid free_pid kernel_thread find_task_by_vpid zap_other_threads
do_execve kernel_execve bprm_execve begin_new_exec create_elf_tables padzero load_script
force_sig send_sig recalc_sigpending kill_pgrp flush_signal_handlers __cleanup_sighand copy_sighand
futex_wait futex_wake
alloc_pages get_page_from_freelist rmqueue __rmqueue_smallest expand prep_new_page zone_watermark_ok
__free_pages __free_one_page add_to_free_list del_page_from_free_list free_area_init memblock_free_all
free_reserved_area kmem_cache_create kmem_cache_alloc kmem_cache_free kmem_cache_init kmalloc kfree
vmalloc vfree ioremap get_vm_area remove_vm_area vunmap_range
mm_alloc dup_mm mmput switch_mm find_vma mmap_region do_munmap do_mremap split_vma vma_merge vma_link
handle_mm_fault handle_pte_fault do_anonymous_page do_fault do_read_fault do_cow_fault do_shared_fault do_wp_page
expand_stack unmap_page_range change_protection copy_page_range move_page_tables free_pgtables
exc_page_fault do_user_addr_fault page_fault_oops bad_area die show_regs search_exception_tables
do_syscall_64 entry_SYSCALL_64 ret_from_fork common_interrupt ack_APIC_irq exit_to_user_mode_prepare
copy_from_user copy_to_user strncpy_from_user clear_user startup_64 x86_64_start_kernel
request_irq open_softirq raise_softirq __do_softirq run_timer_softirq mod_timer del_timer hrtimer_nanosleep
hrtimers_init hrtimer_init hrtimer_start_range_ns hrtimer_try_to_cancel hrtimer_cancel hrtimer_forward hrtimer_interrupt hrtimer_run_queues
enqueue_hrtimer remove_hrtimer __remove_hrtimer __hrtimer_run_queues hrtimer_wakeup schedule_hrtimeout_range clock_was_set timerqueue_add
clockevents_program_event tick_program_event lapic_next_deadline lapic_next_event tick_sched_timer tick_do_update_jiffies64
tick_nohz_idle_enter tick_nohz_idle_stop_tick tick_nohz_idle_exit tick_nohz_next_event tick_nohz_stop_tick tick_irq_enter
tick_setup_sched_timer update_process_times run_local_timers __run_timers expire_timers enqueue_timer calc_wheel_index
__next_timer_interrupt get_next_timer_interrupt forward_timer_base add_timer_on del_timer_sync
posix_timer_fn posix_timer_event posixtimer_rearm common_timer_get exit_itimers send_sigqueue it_real_fn timerfd_tmrproc
ktime_get_ns tick_handle_periodic account_process_tick udelay mktime64
vfs_read vfs_write do_sys_open do_filp_open do_dentry_open filename_lookup filename_parentat lookup_one_len
d_add d_drop d_path dput dget iput ihold fput fget fd_install close_fd dup_fd put_files_struct do_close_on_exec
copy_fs_struct free_fs_struct vfs_statx generic_fillattr filemap_get_page filemap_write_and_wait
truncate_inode_pages do_pipe_flags do_sys_poll do_mount kernel_read
add_disk submit_bio_wait blk_mq_end_request blk_done_softirq ahci_single_irq_intr
get_signal do_notify_parent do_notify_parent_cldstop complete_signal prepare_signal dequeue_signal collect_signal
retarget_shared_pending signal_wake_up do_signal_stop task_participate_group_stop exit_signals do_sigaction
set_current_blocked setup_rt_frame handle_signal do_sigaltstack force_sig_fault force_fatal_sig do_send_sig_info
de_thread exchange_tids transfer_pid attach_pid detach_pid change_pid put_pid get_task_mm prepare_creds commit_creds
wait_task_zombie wait_task_stopped wait_task_continued exit_notify find_new_reaper kill_orphaned_pgrp
will_become_orphaned_pgrp exit_robust_list handle_futex_death get_futex_key futex_requeue
mutex_lock mutex_unlock mutex_trylock __mutex_lock_slowpath __mutex_unlock_slowpath mutex_optimistic_spin
down_read up_read down_write up_write downgrade_write rwsem_mark_wake down up
wait_for_completion complete complete_all prepare_to_wait finish_wait __wake_up autoremove_wake_function
default_wake_function call_rcu synchronize_rcu rcu_core rcu_note_context_switch rcu_sched_clock_irq rcu_report_qs
lock_acquire lock_release register_lock_class mark_lock check_prev_add
smp_init start_secondary do_boot_cpu smp_call_function_many on_each_cpu generic_smp_call_function_interrupt
smp_send_stop setup_local_APIC flush_tlb_kernel_range flush_tlb_func
select_task_rq set_task_cpu newidle_balance detach_tasks find_busiest_queue trigger_load_balance
run_rebalance_domains init_idle fork_idle set_cpus_allowed task_rq_lock ttwu_runnable kick_process
unix_create1 unix_release_sock unix_stream_connect unix_dgram_connect unix_accept unix_listen unix_bind_bsd unix_find_bsd unix_autobind
unix_stream_sendmsg unix_dgram_sendmsg unix_dgram_recvmsg unix_seqpacket_sendmsg unix_seqpacket_recvmsg unix_shutdown unix_getname unix_poll
unix_dgram_poll unix_gc unix_inflight unix_notinflight unix_attach_fds unix_detach_fds unix_peek_fds scan_inflight scan_children scm_detach_fds
scm_fp_dup put_cmsg sock_alloc sock_alloc_file sock_def_readable sock_alloc_send_pskb skb_recv_datagram __skb_wait_for_more_packets alloc_skb
kfree_skb skb_queue_tail skb_dequeue skb_unlink import_iovec map_vdso update_vsyscall show_schedstat mremap_to move_vma vma_to_resize
yield_task_fair purge_vmap_area_lazy alloc_thread_stack del_timer_sync
printk panic register_console unregister_console kallsyms_lookup sprint_symbol rb_next rb_prev
""".split()
VARIABLES = """
init_task runqueues jiffies tsc_khz avenrun idt_table max_pfn swapper_pg_dir early_top_pgt tasklist_lock
slab_caches vmlist boot_cpu_data softirq_to_name sched_prio_to_weight memblock e820_table irq_desc
""".split()


def main() -> int:
    nm, vmlinux = sys.argv[1:3]
    found = set()
    for line in subprocess.run([nm, "--defined-only", vmlinux], check=True, capture_output=True, text=True).stdout.splitlines():
        found.add(line.split(" ", 2)[2])
    missing = [name for name in FUNCTIONS + VARIABLES if name not in found]
    if missing:
        print(f"{len(missing)} of Linux's names are not in the symbol table: " + " ".join(missing))
        return 1
    print(f"{len(FUNCTIONS)} functions and {len(VARIABLES)} variables found")
    return 0


if __name__ == "__main__":
    sys.exit(main())
